#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>
struct Noisy { const char *name; ~Noisy() { std::printf("~%s\n", name); } };
static int early() { return 3; }
static int value = early();
static Noisy last{"last"};
__attribute__((noinline)) void dive(int depth) {
    Noisy frame{"frame"};
    if (depth == 0) throw std::runtime_error("deep " + std::to_string(value));
    dive(depth - 1);
}
struct Base { virtual int next(int x) { return x; } virtual ~Base() {} };
struct Picky : Base { int next(int x) override { if (x > 2) throw x; return x + 1; } };
int main() {
    try { dive(2); } catch (const std::exception &error) { std::printf("caught %s\n", error.what()); }
    Base *picky = new Picky;
    try { for (int i = 0;; i++) std::printf("%d\n", picky->next(i)); } catch (int x) { std::printf("int %d\n", x); }
    delete picky;
    // Through a frame of the library: vector::at throws.
    try { std::vector<int>(3).at(7); } catch (const std::out_of_range &) { std::puts("out of range"); }
    bool caught = false;
    std::thread thread([&] { try { dive(1); } catch (...) { caught = true; } });
    thread.join();
    std::printf("%d\n", caught);
    std::fflush(stdout);
    if (fork() == 0) {
        try { dive(0); } catch (...) { std::fflush(stdout); _exit(5); }
    }
    int status;
    wait(&status);
    std::printf("%d\n", WEXITSTATUS(status));
}
