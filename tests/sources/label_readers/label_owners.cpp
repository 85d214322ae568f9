// The third unit of label_readers.cpp: labels of inline functions, templates, generic lambdas and methods; tables that are
// thread-local, in a section, or change; labels that are captured or kept.
#include <cstdio>

inline int inlined(int i) {
    static void *const table[] = {&&one, &&two};
    goto *table[i];
one:
    return 1;
two:
    return 2;
}
template <class T> int instance(T i) {
    static void *const table[] = {&&one, &&two};
    auto at = [](int k) { return table[k]; };
    goto *at(i);
one:
    return 1 + sizeof(T);
two:
    return 2;
}
template <class T> int swapped(T i) {
    static void *table[] = {&&one, &&two};
    struct Swap {
        static void it() {
            void *first = table[0];
            table[0] = table[1];
            table[1] = first;
        }
    };
    Swap::it();
    goto *table[i];
one:
    return 1 + sizeof(T);
two:
    return 2;
}
int of_thread(int i) {
    static thread_local void *table[] = {&&one, &&two};
    goto *table[i];
one:
    return 1;
two:
    return 2;
}
int in_section(int i) {
    __attribute__((section("labels"))) static void *const table[] = {&&one, &&two};
    goto *table[i];
one:
    return 1;
two:
    return 2;
}
int changes_itself(int i) {
    static void *table[] = {&&one, &&two};
    goto *table[i];
one:
    table[0] = &&two;
    return 1;
two:
    table[0] = &&one;
    return 2;
}
int nested(int i) {
    static void *const table[] = {&&one, &&two};
    auto outer = [&](int k) {
        auto inner = [k] {
            struct Reader {
                static void *at(int n) { return table[n]; }
            };
            return Reader::at(k);
        };
        return inner();
    };
    goto *outer(i);
one:
    return 1;
two:
    return 2;
}
int captured(int i) {
    void *first = &&one;
    auto at = [first, second = &&two](int k) { return k ? second : first; };
    goto *at(i);
one:
    return 1;
two:
    return 2;
}
void *kept;
int kept_label(int i) {
    if (i == 0) {
        kept = &&later;
        return 1;
    }
    goto *kept;
later:
    return kept == &&later ? 2 : 3;
}
struct Object {
    int offset;
    int method(int i) {
        static void *const table[] = {&&one, &&two};
        auto at = [this](int k) { return table[k + offset]; };
        goto *at(i);
    one:
        return 1;
    two:
        return 2;
    }
};

void owners() {
    auto generic = [](auto i) {
        static void *const table[] = {&&one, &&two};
        auto at = [](int k) { return table[k]; };
        goto *at(i);
    one:
        return 1;
    two:
        return 2;
    };
    std::printf("inlined %d instances %d %d\n", inlined(1), instance(0), instance(0l));
    int first = swapped(1);
    std::printf("swapped %d %d\n", first, swapped(1));
    std::printf("thread %d section %d\n", of_thread(1), in_section(1));
    first = changes_itself(0);
    std::printf("changes itself %d %d\n", first, changes_itself(0));
    first = kept_label(0);
    std::printf("nested %d captured %d kept %d %d\n", nested(1), captured(1), first, kept_label(1));
    Object object = {0};
    std::printf("method %d generic %d %d\n", object.method(1), generic(0), generic(1l));
}
