// CPython: HAVE_GCC_ASM_FOR_X87.
//# link
//# try: -O2
int main(void) { unsigned short cw; __asm__ __volatile__ ("fnstcw %0" : "=m" (cw)); __asm__ __volatile__ ("fldcw %0" : : "m" (cw)); return 0; }
