// A thread makes first calls without end while another forks: each child can make first calls, whatever was going on.
//# link: -pthread
//# repeat: 10
//# prints: children 12 sum 3960
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define F(n) __attribute__((noinline)) int f##n(int x) { return x + n; }
#define TEN(n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
TEN(1) TEN(2) TEN(3) TEN(4) TEN(5) TEN(6) TEN(7) TEN(8)
#define P(n) f##n,
#define TENP(n) P(n##0) P(n##1) P(n##2) P(n##3) P(n##4) P(n##5) P(n##6) P(n##7) P(n##8) P(n##9)
static int (*const all[])(int) = {TENP(1) TENP(2) TENP(3) TENP(4) TENP(5) TENP(6) TENP(7) TENP(8)};

static void *compile_all(void *sum) {
    for (int i = 0; i < 80; i++) *(long *)sum += all[i](0);
    return NULL;
}

int main(void) {
    pthread_t thread;
    long sum = 0;
    int good = 0;
    pthread_create(&thread, NULL, compile_all, &sum);
    for (int child = 0; child < 12; child++) {
        pid_t pid = fork();
        if (pid == 0) {
            // From the other end: functions that nobody has called yet, or that are being compiled now.
            int result = 0;
            for (int i = 0; i < 5; i++) result += all[79 - child * 5 - i](0) - (89 - child * 5 - i);
            _exit(result == 0 ? 0 : 1);
        }
        int status;
        waitpid(pid, &status, 0);
        good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    pthread_join(thread, NULL);
    printf("children %d sum %ld\n", good, sum);
    return good == 12 ? 0 : 1;
}
