struct wide { double d[3]; int n; };
extern int snprintf(char *, unsigned long, const char *, ...);
int helper(struct wide w, int x) { return (int)(w.d[0] * x + w.d[2]) + w.n; }
int choose(int x) {
    switch (x % 7) { case 0: return 11; case 1: return 22; case 2: return -3; case 3: return 4; case 5: return 9;
                     default: return x; }
}
int jump(int x) {
    static const void *const table[] = { &&even, &&odd, &&big };
    goto *table[x > 50 ? 2 : x & 1];
even: return x / 2;
odd: return 3 * x + 1;
big: return -x;
}
int run(int x) {
    struct wide w = { { x * 0.5, 1.0, 2.25 }, x };
    int (*const functions[])(int) = { choose, jump };
    char text[32];
    int length = snprintf(text, sizeof text, "%d-%s-%.2f", x, "text", w.d[0]);
    return helper(w, 3) + functions[x & 1](x) * 100 + jump(x) + length + text[0];
}
