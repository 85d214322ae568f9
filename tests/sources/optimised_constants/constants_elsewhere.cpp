// The second unit of optimised_constants.cpp.
#include <cstdlib>

extern const int late;
const int late = std::atoi("6");
static int target = 7;
extern int *const pointer;
int *const pointer = &target;
template <class T> struct Sizes {
    static const int constant;
    static int variable;
};
template <class T> const int Sizes<T>::constant = sizeof(T);
template <class T> int Sizes<T>::variable = sizeof(T);
int sizes() { return Sizes<int>::constant + Sizes<long>::variable; }
