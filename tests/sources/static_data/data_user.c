// The plain file of static_data.c.
extern int shared_data;
extern int common_data;

int *address_of_shared(void) { return &shared_data; }
void change_shared(void) { shared_data++, common_data = 9; }
const char *keep_literal(const char *literal) { return literal; }
