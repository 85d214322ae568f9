// clang takes a label of the function around a lambda for one of the lambda's own; its code generator refuses that.
//# try: -O0
//# answers: no
//# says: Undefined temporary symbol
int chosen(int i) {
    static void *const first = &&one, *const second = &&two;
    auto label = [](int k) { return k ? second : first; };
    goto *label(i);
one:
    return 1;
two:
    return 2;
}
