// autoconf in libfuse and numactl: does the assembler know .symver?
//# try: -O2 -fPIC
__asm__(".symver old_name, name@VERSION_1");
int old_name(void) { return 1; }
