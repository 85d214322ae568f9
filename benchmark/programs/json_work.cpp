// Builds a document, writes it, reads it again, changes and walks what was read.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "passes.h"

using nlohmann::json;

static json made(uint32_t seed) {
    json list = json::array();
    for (int i = 0; i < 12000; i++) {
        seed = seed * 1664525 + 1013904223;
        json entry = {{"name", "entry " + std::to_string(seed % 5000)}, {"number", i}, {"share", (seed >> 8) / 16777216.0}};
        for (unsigned tag = 0; tag < seed % 5; tag++) entry["tags"].push_back("tag \"" + std::to_string(tag) + "\"\n");
        list.push_back(entry);
    }
    return {{"list", list}, {"seed", seed}};
}

static long walked(const json &value) {
    if (value.is_number()) return value.get<double>() * 8;
    if (value.is_string()) return value.get_ref<const std::string &>().size();
    long sum = 0;
    if (value.is_structured())
        for (const auto &[key, member] : value.items()) sum = (sum * 31 + key.size() + walked(member)) % 1000003;
    return sum;
}

static long work() {
    long sum = 0;
    for (uint32_t round = 0; round < 20; round++) {
        std::string text = made(round).dump(round % 3);
        json document = json::parse(text);
        for (json &entry : document["list"])
            if (entry["number"].get<int>() % 3 == 0) entry.erase("share");
        sum = (sum * 31 + walked(document)) % 1000003;
    }
    return sum;
}

int main() { return passes(work); }
