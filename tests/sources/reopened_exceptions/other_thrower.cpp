extern "C" void raise_number(int);
static void deeper(int number, int depth) {
    // Frames of another shape than the other library's.
    volatile char room[200] = {0};
    if (depth) deeper(number, depth - 1);
    raise_number(number + room[depth]);
}
extern "C" void entry(int number) {
    try {
        deeper(number, 3);
    } catch (int caught) {
        throw caught + 1;
    }
}
