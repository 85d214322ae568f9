// More registers than there are.
//# try: -O0
//# try: -O2
//# answers: no
//# says: assembly_registers.c:8:22: error: inline assembly requires more registers than available

void many(long *x) {
    __asm__ volatile("nop"
                     :
                     : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(x[4]), "r"(x[5]), "r"(x[6]), "r"(x[7]), "r"(x[8]),
                       "r"(x[9]), "r"(x[10]), "r"(x[11]), "r"(x[12]), "r"(x[13]), "r"(x[14]), "r"(x[15]), "r"(x[16]));
}
