// Names of functions as tools find them: in the symbols of the file that /proc/self/maps shows where the code is.
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The table of unwind information (.eh_frame_hdr) has an entry for each function, in the order of addresses. */
static int has_frame(const char *file, const Elf64_Phdr *load, const Elf64_Phdr *frames, unsigned long function) {
    const char *table = file + frames->p_offset;
    unsigned count = *(const unsigned *)(table + 8);
    const int *pairs = (const int *)(table + 12);
    for (unsigned i = 0; i < count; i++) {
        if (i && pairs[2 * i] <= pairs[2 * i - 2]) return 0;
        unsigned long start = frames->p_vaddr + pairs[2 * i];
        const unsigned *fde = (const unsigned *)(table + pairs[2 * i + 1]);
        unsigned long encoded = frames->p_vaddr + pairs[2 * i + 1] + 8;
        if (start == function) return encoded + (int)fde[2] == function && load->p_vaddr < start;
    }
    return 0;
}

static int print_name(unsigned long pc, unsigned long start, unsigned long offset, const char *path) {
    struct stat status;
    int descriptor = open(path, O_RDONLY);
    if (descriptor < 0 || fstat(descriptor, &status)) return 0;
    const char *file = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    close(descriptor);
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(file + header->e_phoff), *load = NULL, *frames = NULL;
    for (int i = 0; i < header->e_phnum; i++) {
        unsigned long within = offset - segments[i].p_offset;
        if (segments[i].p_type == PT_LOAD && within < segments[i].p_filesz) load = &segments[i];
        if (segments[i].p_type == PT_GNU_EH_FRAME) frames = &segments[i];
    }
    const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + header->e_shoff);
    int found = 0;
    for (int i = 0; load && i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        unsigned long value = pc - start + offset - load->p_offset + load->p_vaddr;
        const Elf64_Sym *symbols = (const Elf64_Sym *)(file + sections[i].sh_offset);
        for (unsigned long n = 0; n < sections[i].sh_size / sizeof *symbols; n++) {
            if (value - symbols[n].st_value >= symbols[n].st_size) continue;
            int whole = frames && has_frame(file, load, frames, symbols[n].st_value);
            printf(" %s%s", file + sections[sections[i].sh_link].sh_offset + symbols[n].st_name,
                   whole || strstr(path, "/live/") == NULL ? "" : " (no frame)");
            found = 1;
            break;
        }
    }
    munmap((void *)file, status.st_size);
    return found;
}

static void print_function(unsigned long pc) {
    char line[4096], path[4096];
    unsigned long start, end, offset;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps)) {
        char flags[8];
        path[0] = 0;
        sscanf(line, "%lx-%lx %7s %lx %*s %*s %4095[^\n]", &start, &end, flags, &offset, path);
        if (pc < start || pc >= end) continue;
        if (path[0] != '/' || flags[0] != 'r' || !print_name(pc, start, offset, path)) printf(" ?");
        break;
    }
    fclose(maps);
}

/* The innermost four functions above this file's. */
void print_stack(void) {
    void *frames[16];
    int count = backtrace(frames, 16);
    for (int i = 1; i < count && i < 4; i++) print_function((unsigned long)frames[i] - 1);
    printf("\n");
}

void print_name_of(const void *function) {
    print_function((unsigned long)function);
    printf("\n");
}
