// The lazy part of the allocator of allocator_in_parts.cpp.
#include "arena.hpp"

#include <unistd.h>

namespace {
struct Header {
    std::size_t size;
    Header *next;
};
alignas(16) char memory[8 << 20];
Header *unused[64];

std::size_t class_of(std::size_t size) {
    std::size_t result = 0;
    while ((std::size_t{16} << result) < size) result++;
    return result;
}
} // namespace

void *Arena::take(std::size_t size) {
    allocated++;
    std::size_t which = class_of(size);
    if (Header *block = unused[which]) {
        unused[which] = block->next;
        return block + 1;
    }
    auto *block = reinterpret_cast<Header *>(memory + used);
    used += sizeof(Header) + (std::size_t{16} << which);
    if (used > sizeof memory) _exit(99);
    block->size = std::size_t{16} << which;
    return block + 1;
}

void Arena::give(void *block) {
    freed++;
    Header *header = static_cast<Header *>(block) - 1;
    std::size_t which = class_of(header->size);
    header->next = unused[which];
    unused[which] = header;
}

std::size_t Arena::size_of(void *block) { return (static_cast<Header *>(block) - 1)->size; }
