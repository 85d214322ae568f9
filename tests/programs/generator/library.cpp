#include <stdexcept>

static void fail(int x) {
    if (x)
        throw std::runtime_error("odd");
}

extern "C" int caught(int x) {
    try {
        fail(x);
    } catch (std::exception &e) {
        return e.what()[0];
    }
    return 0;
}
