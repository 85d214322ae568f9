// A lambda or local class reads a constant with a label of the function around it, and clang takes it for a label of its own,
// which is nowhere. Where the optimiser sees through that, a plain build works: the file is compiled as usual.
//# sources: missing_other.cpp
//# linkers: lld
//# levels: o1 o2 o3_g os
//# prints: lambda 1
//# prints: class 2
//# prints: other 3
//# static: main _Z6lambdav _Z11local_classv
//# lazy: _Z5otherv
//# stats: compiled >= 1
#include <cstdio>

int other();

int lambda() {
    static void *const label = &&here;
    auto read = [] { return label; };
    goto *read();
here:
    return 1;
}
int local_class() {
    static void *const label = &&here;
    struct Reader {
        static void *read() {
            static void *const table[] = {label};
            return table[0];
        }
    };
    goto *Reader::read();
here:
    return 2;
}

int main() {
    std::printf("lambda %d\n", lambda());
    std::printf("class %d\n", local_class());
    std::printf("other %d\n", other());
}
