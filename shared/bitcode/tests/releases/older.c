// What older releases write in another way: memory attributes, lifetimes with sizes, debug intrinsics.
extern int printf(const char *, ...);
extern int square(int) __attribute__((const));
extern int look(const char *) __attribute__((pure));
struct pair { long a; double b; };
static struct pair swap(struct pair p) { struct pair q = {(long)p.b, (double)p.a}; return q; }
static __int128 wide(__int128 x, int n) { return x << n; }
int main(int count, char **arguments) {
    int total = 0;
    for (int index = 0; index < count; index++) {
        char text[32] = "text";
        total += square(index) + look(text);
        switch (index & 7) {
        case 0: total++; break;
        case 3: total -= 2; break;
        case 5: total *= 3;
        }
    }
    struct pair p = swap((struct pair){total, 2.5});
    printf("%ld %f %d\n", p.a, p.b, (int)wide(count, 3));
    return __builtin_popcount(total);
}
