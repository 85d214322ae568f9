// Remarks of optimisation and code generation.
//# try: -O2 -Rpass=inline -Rpass-analysis=prologepilog
//# says: code_remarks.c:7:47: remark: 'add' inlined into 'twice'
//# says: stack bytes in function

static int add(int a, int b) { return a + b; }
int twice(int x) { volatile int y = x; return add(y, y); }
