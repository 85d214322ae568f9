// The same for one that there is not.
//# try: -O2 -Werror
//# answers: no
//# says: error: unknown attribute
__attribute__((optimise_for_fun)) int f(void) { return 0; }
