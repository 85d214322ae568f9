// Arguments and results in every class of the calling convention, each on the first call of a function.
//# prints: integers 36
//# prints: doubles 45.0
//# prints: struct 6 18
//# prints: floats 1.5 2.5 3.5
//# prints: wide 340282366920938463463374607431768211455
//# prints: long double 3.25
//# prints: complex 3 -1
//# prints: big 0 4950 99
//# prints: chars -1 255 -2 65534 1
#include <complex.h>
#include <stdio.h>

struct small { int a; long b; };
struct floats { float x, y, z; };
struct mixed { double d; int i; };
struct big { int values[100]; };

int integers(int a, long b, short c, char d, unsigned e, long long f, int g, long h) {
    return (int)(a + b + c + d + e + f + g + h);
}
double doubles(double a, double b, double c, double d, double e, double f, double g, double h, double i) {
    return a + b + c + d + e + f + g + h + i;
}
struct small twisted(struct small s, struct mixed m) { return (struct small){(int)s.b + m.i, s.a + (long)m.d}; }
struct floats shifted(struct floats f, float by) { return (struct floats){f.x + by, f.y + by, f.z + by}; }
unsigned __int128 wide(unsigned __int128 a, unsigned __int128 b) { return a - b; }
long double quarter(long double a, long double b) { return a + b / 4; }
double _Complex turned(double _Complex z) { return z * I; }
struct big filled(struct big b, int start) {
    for (int i = 0; i < 100; i++) b.values[i] = start + i;
    return b;
}
static int total(struct big b) {
    int sum = 0;
    for (int i = 0; i < 100; i++) sum += b.values[i];
    return sum;
}
signed char narrow(int x) { return (signed char)x; }
unsigned char unsigned_narrow(int x) { return (unsigned char)x; }
short half(int x) { return (short)x; }
unsigned short unsigned_half(int x) { return (unsigned short)x; }
_Bool truth(int x) { return x; }

int main(void) {
    printf("integers %d\n", integers(1, 2, 3, 4, 5, 6, 7, 8));
    printf("doubles %.1f\n", doubles(1, 2, 3, 4, 5, 6, 7, 8, 9));
    struct small s = twisted((struct small){10, 2}, (struct mixed){8.5, 4});
    printf("struct %d %ld\n", s.a, s.b);
    struct floats f = shifted((struct floats){1, 2, 3}, 0.5f);
    printf("floats %.1f %.1f %.1f\n", f.x, f.y, f.z);
    unsigned __int128 w = wide(0, 1);
    char digits[40] = {0};
    int at = 39;
    do digits[--at] = (char)('0' + (int)(w % 10)); while (w /= 10);
    printf("wide %s\n", digits + at);
    printf("long double %.2Lf\n", quarter(3.0L, 1.0L));
    double _Complex z = turned(__builtin_complex(-1.0, -3.0));
    printf("complex %.0f %.0f\n", creal(z), cimag(z));
    struct big b = filled((struct big){{1}}, 0);
    printf("big %d %d %d\n", b.values[0], total(b), b.values[99]);
    printf("chars %d %d %d %d %d\n", narrow(255), unsigned_narrow(-1), half(65534), unsigned_half(-2), truth(256));
    return 0;
}
