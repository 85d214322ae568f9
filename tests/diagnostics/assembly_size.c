// Operands of a size that the instruction has not, found by the assembler only.
//# try: -O0
//# try: -O2
//# answers: no
//# says: assembly_size.c:7:

int narrow(int x) { __asm__ volatile("bswapw %0" : "+r"(x)); return x; }
