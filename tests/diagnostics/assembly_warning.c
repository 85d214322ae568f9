// A warning, and an error, that the text itself makes.
//# try: -O0
//# try: -O2
//# answers: no
//# says: assembly_warning.c:8:
//# says: warning: beware

void warn(void) { __asm__ volatile(".warning \"beware\""); }
void fail(void) { __asm__ volatile(".error \"stop\""); }
