// Large frames.
//# try: -O0 -Wframe-larger-than=1000
//# try: -O2 -Wframe-larger-than=1000
//# try: -O1 -g -Wframe-larger-than=1000
//# says: code_frames.c:7:6: warning: stack frame size
void use(char *);
void large(void) { char room[5000]; use(room); }
