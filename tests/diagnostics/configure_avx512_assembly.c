// OpenSSL and gmp ask the assembler what it knows; libvpx and x264 likewise.
//# link
//# try: -O2
int main(void) { __asm__ volatile("vpxorq %%zmm0, %%zmm0, %%zmm0\n\tsha256rnds2 %%xmm1, %%xmm2\n\tendbr64" ::: "xmm0", "xmm2"); return 0; }
