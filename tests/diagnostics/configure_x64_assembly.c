// CPython: HAVE_GCC_ASM_FOR_X64.
//# link
//# try: -O2
//# try: -O0
int main(void) { __asm__ __volatile__ ("movq %rcx, %rax"); return 0; }
