#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int slow(void), child(void);
static void *thread(void *p) { slow(); return p; }
int main(void) {
    pthread_t other; int status;
    pthread_create(&other, 0, thread, 0);
    usleep(20000);
    if (!fork()) _exit(child());
    wait(&status);
    pthread_join(other, 0);
    printf("%d\n", WEXITSTATUS(status));
    return 0;
}
