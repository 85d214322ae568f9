// A warning that is an error.
//# try: -O0 -Werror
//# try: -O2 -Werror
//# answers: no
//# says: error: beware

void warn(void) { __asm__ volatile(".warning \"beware\""); }
