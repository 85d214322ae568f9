// An instruction of another machine.
//# try: -O0
//# try: -O2 -g
//# try: -O1 -masm=intel
//# answers: no
//# says: assembly_instruction.c:8:51: error:

void set(void) { unsigned value; __asm__ volatile("fmove.l %%fpcr,%0" : "=g"(value)); }
