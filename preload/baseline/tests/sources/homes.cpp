// Values that stay in registers around calls, throws and jumps.
#include <setjmp.h>

#include "check.h"

struct Counted {
    static int alive;
    int number;
    __attribute__((noinline)) explicit Counted(int number) : number(number) { alive++; }
    __attribute__((noinline)) ~Counted() { alive--; }
};
int Counted::alive;

__attribute__((noinline)) static int odd(int n) {
    if (n % 5 == 3) throw n;
    if (n % 7 == 5) throw static_cast<long>(n) * 3;
    return n & 1;
}

// Phis of landing pads, and of what is behind them.
static long caught(int n) {
    long sum = 0, last = -1, product = 1;
    for (int i = 0; i < n; i++) {
        try {
            Counted counted(i);
            last = i;
            sum += odd(i) + odd(i + 1);
            product = product * 3 + counted.number;
        } catch (int thrown) {
            sum += 100 * thrown + last;
        } catch (long thrown) {
            long before = sum;
            sum = product;
            product = before + thrown;
        }
    }
    return sum * 31 + product * 7 + last + Counted::alive;
}

static jmp_buf back;
__attribute__((noinline)) static void jump(int n) {
    if (n % 3 == 0) longjmp(back, n + 1);
}

static long returned(int n) {
    volatile long sum = 0;
    for (int i = 1; i < n; i++) {
        volatile int at = i;
        int came = setjmp(back);
        if (came == 0) {
            jump(at);
            sum = sum + at;
        } else {
            sum = sum * 2 + came;
        }
        i = at;
    }
    return sum;
}

static uint64_t divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static unsigned __int128 fibonacci(int n) {
    unsigned __int128 a = 0, b = 1;
    for (int i = 0; i < n; i++) {
        unsigned __int128 next = a + b;
        a = b;
        b = next;
    }
    return a;
}

// Of vectors and floats, with and without calls.
static double series(int n, bool calls) {
    double sum = 0, sign = 1;
    float term = 1;
    for (int i = 1; i < n; i++) {
        sum += sign * term / i;
        sign = -sign;
        if (calls) {
            put(i);
        } else {
            term = term * 0.99f + static_cast<float>(i % 3);
        }
    }
    return sum + term;
}

static double remainders(double a, int n) {
    double sum = 0;
    for (int i = 1; i < n; i++) sum += __builtin_fmod(a * i, 7.5);
    return sum;
}

static uint64_t states(const char *text) {
    enum { start, word, number, other } state = start;
    uint64_t words = 0, numbers = 0, value = 0, all = 0;
    for (; *text; text++) {
        char c = *text;
        bool digit = c >= '0' && c <= '9', letter = c >= 'a' && c <= 'z';
        switch (state) {
        case start:
            value = 0;
            if (digit) {
                state = number;
                value = c - '0';
            } else if (letter) {
                state = word;
                words++;
            }
            continue;
        case number:
            if (digit) {
                value = value * 10 + (c - '0');
                continue;
            }
            numbers++;
            all += value;
            state = letter ? other : start;
            break;
        case word:
            if (!letter && !digit) state = start;
            break;
        case other:
            if (c == ' ') state = start;
            all ^= value;
        }
    }
    return words * 1000000 + numbers * 10000 + all;
}

static void check(void) {
    static const int rounds[] = {0, 1, 5, 40};
    for (int n : rounds) {
        put(caught(n));
        put(returned(n));
    }
    put(divisor(1071u * 1234567u, 462u * 1234567u));
    put(static_cast<uint64_t>(fibonacci(150)));
    put(static_cast<uint64_t>(fibonacci(150) >> 64));
    put_double(series(30, false));
    put_double(series(30, true));
    put_double(remainders(3.7, 20));
    put(states("a few words, 12 and 345 numbers7 8x9 10 z"));
}
