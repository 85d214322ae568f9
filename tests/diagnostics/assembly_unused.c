// The same without a result that anything needs: optimisers remove it, and nothing is wrong.
//# try: -O1
//# try: -O2

void set(void) { unsigned value; __asm__("fmove.l %%fpcr,%0" : "=r"(value)); }
