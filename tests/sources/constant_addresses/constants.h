// What the units of constant_addresses.c share.
const char *shared_text(void);
const char *second_ok(void);
const char *second_array(int x);
const char *plain_ok(void);
