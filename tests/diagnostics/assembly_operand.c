// An operand of the wrong class, and an output that no register can be.
//# try: -O0
//# try: -O2
//# answers: no
//# says: assembly_operand.c:7:

void wrong(double x) { __asm__ volatile("addl %0, %%eax" : : "x"(x)); }
