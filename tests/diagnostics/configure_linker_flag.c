// A flag of the linker that it does not know.
//# link
//# try: -O2 -fuse-ld=lld -Wl,--no-such-flag
//# answers: no
//# says: unknown argument
int main(void) { return 0; }
