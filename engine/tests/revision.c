extern int numbers[16], elsewhere(const char *, ...);
extern void *allocate(unsigned long);
int table(int kind) {
    switch (kind) {
    case 0: return elsewhere("a");
    case 1: return elsewhere("b", 2.5);
    case 2: return numbers[3];
    case 3: return -1;
    case 4: return elsewhere("c", kind);
    default: return 9;
    }
}
int sum(const int *values, int count) {
    int total = 0;
    for (int index = 0; index < count; index++) total += values[index] * numbers[index & 15];
    return total;
}
char *text(int size) {
    char *made = allocate(size);
    for (int index = 0; index < size; index++) made[index] = 'x';
    return made;
}
double scale(double value, float factor) { return value * factor + (long double)value / 3; }
struct node { struct node *next; __int128 value; };
__int128 walk(struct node *node) {
    __int128 total = sum(numbers, 16);
    for (; node; node = node->next) total += node->value / 3;
    return total;
}
