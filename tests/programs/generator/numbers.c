int sum(const int *numbers, int count) {
    int all = 0;
    while (count--)
        all += *numbers++;
    return all;
}
