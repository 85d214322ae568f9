// A file with the stack that each function takes.
//# try: -O0 -fstack-usage
//# try: -O2 -fstack-usage
//# writes: su
void use(char *);
void large(void) { char room[5000]; use(room); }
