// What the code generator refuses.
//# try: -O0 -mno-sse
//# try: -O2 -mno-sse
//# answers: no
//# says: error: SSE register return with SSE disabled
double half(double x) { return x / 2; }
