// Exceptions in interpreters: caught in one of their loops, and out of them, with objects on the way.
#include <string>

struct Object {
    static int alive;
    Object() { alive++; }
    ~Object() { alive--; }
};
int Object::alive;

__attribute__((noinline)) static void sometimes(int i) {
    if (i % 4 == 3) throw i;
    if (i % 9 == 8) throw std::string("nine");
}

__attribute__((noinline)) static int run(const char *code, int n) {
    static const void *const table[] = {&&call, &&again, &&end};
    const char *at = code;
    int sum = 0;
    Object object;
    goto *table[(int)*at++];
call:
    try {
        Object inner;
        sometimes(n);
        sum += n;
    } catch (int i) {
        sum -= i;
    }
    goto *table[(int)*at++];
again:
    if (--n > 0) at = code;
    goto *table[(int)*at++];
end:
    return sum;
}

extern "C" int thrown(void) {
    static const char code[] = {0, 0, 1, 2};
    int sum = 0, strings = 0;
    for (int i = 0; i < 600; i++) try {
            sum += run(code, i % 50);
        } catch (const std::string &) { strings++; }
    return sum + 1000 * strings + 7 * Object::alive;
}
