// Data stays in the program: one address, one value, read-only where it was, shared with plain files.
//# plain: data_user.c
//# prints: shared 2 address 1
//# prints: static local 1 2 3
//# prints: literal kept 1
//# prints: constants 7 8
//# prints: common 9
//# prints: self 1
#include <stdio.h>
#include <string.h>

int shared_data = 1;
int common_data;
int *address_of_shared(void);
void change_shared(void);
const char *keep_literal(const char *);

static const int constants[] = {7, 8};
struct self { struct self *me; int (*function)(void); };
static int next(void) {
    static int value;
    return ++value;
}
static struct self self = {&self, next};

static const char *literal(void) { return "a literal"; }

int main(void) {
    change_shared();
    printf("shared %d address %d\n", shared_data, address_of_shared() == &shared_data);
    int one = next(), two = self.function();
    printf("static local %d %d %d\n", one, two, next());
    printf("literal kept %d\n", keep_literal(literal()) == literal() && !strcmp(literal(), "a literal"));
    printf("constants %d %d\n", constants[0], constants[1]);
    printf("common %d\n", common_data);
    printf("self %d\n", self.me == &self);
    return 0;
}
