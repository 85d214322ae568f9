// Has another process open the files that dl_iterate_phdr names, from the program and from a forked child.
#define _GNU_SOURCE
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char names[64][256];
static int count;

static int visit(struct dl_phdr_info *info, size_t size, void *address) {
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    if (header->p_type == PT_LOAD && (size_t)address - info->dlpi_addr - header->p_vaddr < header->p_memsz && count < 64)
      snprintf(names[count++], sizeof *names, "%s", info->dlpi_name);
  }
  return 0;
}

// Whether another process can read the file that describes the code which runs here, which is not the program's.
__attribute__((noinline)) static int readable(void) {
  char command[512], line[256] = "";
  count = 0;
  dl_iterate_phdr(visit, __builtin_return_address(0));
  if (count != 1) return 100 + count;
  snprintf(command, sizeof command, "head -c 4 '%s' | tail -c 3", names[0][0] ? names[0] : "/proc/self/exe");
  FILE *head = popen(command, "r");
  if (!fgets(line, sizeof line, head)) return 2;
  pclose(head);
  return strcmp(line, "ELF") != 0;
}

__attribute__((noinline)) static int in_child(void) {
  char own[64];
  int result = readable();
  snprintf(own, sizeof own, "/proc/%d/fd/", getpid());
  return result + (names[0][0] && strncmp(names[0], own, strlen(own)) ? 50 : 0);
}

int main(void) {
  int status = 0, result = readable();
  pid_t child = fork();
  if (child == 0) _exit(in_child());
  waitpid(child, &status, 0);
  printf("%d %d\n", result, WEXITSTATUS(status));
  return 0;
}
