// CPython: HAVE_GCC_ASM_FOR_MC68881.
//# link
//# try: -O2
//# answers: no
//# says: error
int main(void) {
    unsigned int fpcr;
    __asm__ __volatile__ ("fmove.l %%fpcr,%0" : "=g" (fpcr));
    __asm__ __volatile__ ("fmove.l %0,%%fpcr" : : "g" (fpcr));
    return 0;
}
