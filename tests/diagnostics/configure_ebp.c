// FFmpeg: is %ebp available, and are there six registers beside it?
//# link
//# try: -O2 -fomit-frame-pointer
//# try: -O0
int main(void) {
    int i;
    __asm__ volatile("" : "=&r"(i) :: "ebx", "ecx", "edx", "esi", "edi");
    __asm__ volatile("xorl %%ebp, %%ebp" ::: "%ebp");
    return 0;
}
