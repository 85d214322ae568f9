// One of several files, PART of which is its number. Each function calls some inline functions first, and others later.
#include "shared.h"

template <int N> static int local(int x) { return chain<(N + PART) % 9>(x); }

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

int JOIN(early, PART)(int x) { return step<PART>(x) + local<1>(x); }

int JOIN(late, PART)(int x) {
    Account account;
    account.add(once(x));
    account.add(chain<8>(x));
    int (*address)(int) = &once;
    return account.report() + words("part") + local<2>(x) + step<(PART + 3) % 6>(x) + address(x);
}
