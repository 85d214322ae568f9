// libatomic_ops and Boost: is this an ARM, or a PowerPC?
//# try: -O1
//# answers: no
//# says: error
int main(void) { __asm__ volatile("dmb ish" ::: "memory"); __asm__ volatile("lwsync"); return 0; }
