#pragma once
template <typename T> struct Twice {
    static T of(T value) { return value + value; }
};
inline int shape_area(int width, int height) { return width * height; }
