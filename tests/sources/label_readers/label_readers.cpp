// Labels that other functions read: lambdas, local classes and blocks; tables in structures, tables that another function
// changes, distances of labels.
//# sources: label_blocks.c label_owners.cpp
//# flags: -fblocks
//# linkers: lld
//# levels: standard o1
//# prints: lambda 21
//# prints: class 21
//# prints: changed 12 22
//# prints: distances 21
//# prints: given away 21
//# prints: blocks 21
//# prints: inlined 2 instances 5 9
//# prints: swapped 5 2
//# prints: thread 2 section 2
//# prints: changes itself 1 2
//# prints: nested 2 captured 2 kept 1 2
//# prints: method 2 generic 1 2
//# static: _Z6lambdai
//# lazy: _Z10given_awayi main
//# stats: compiled >= 4
#include <cstdio>

extern "C" int blocks(int);
void owners();

int lambda(int i) {
    static void *const table[] = {&&one, &&two};
    auto at = [](int k) { return table[k]; };
    goto *at(i);
one:
    return 1;
two:
    return 2;
}
int local_class(int i) {
    static const struct {
        int number;
        void *label;
    } table[] = {{1, &&one}, {2, &&two}};
    struct Reader {
        static void *at(int k) { return table[k].label; }
        int number(int k) { return table[k].number; }
    };
    goto *Reader::at(i);
one:
    return Reader().number(0);
two:
    return Reader().number(1);
}
int changed(int i) {
    static void *table[] = {&&one, &&two};
    auto change = [] { table[0] = table[1]; };
    int before = i;
    goto *table[i];
one:
    change();
    return 10 + 2 * (before == 0);
two:
    return 20 + 2;
}
int distances(int i) {
    static const int table[] = {(int)((char *)&&one - (char *)&&one), (int)((char *)&&two - (char *)&&one)};
    auto at = [](int k) { return table[k]; };
    goto *(void *)((char *)&&one + at(i));
one:
    return 1;
two:
    return 2;
}
__attribute__((noinline)) static void *read_table(void *const *table, int k) { return table[k]; }
int given_away(int i) {
    static void *const table[] = {&&one, &&two};
    goto *read_table(table, i);
one:
    return 1;
two:
    return 2;
}

int main() {
    std::printf("lambda %d\n", lambda(1) * 10 + lambda(0));
    std::printf("class %d\n", local_class(1) * 10 + local_class(0));
    int first = changed(0);
    std::printf("changed %d %d\n", first, changed(0));
    std::printf("distances %d\n", distances(1) * 10 + distances(0));
    std::printf("given away %d\n", given_away(1) * 10 + given_away(0));
    std::printf("blocks %d\n", blocks(1) * 10 + blocks(0));
    owners();
}
