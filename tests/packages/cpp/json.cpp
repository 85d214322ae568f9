// nlohmann-json: parse, change, print, convert, fail.
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using nlohmann::json;

namespace shop {
struct Item {
    std::string name;
    double price;
    std::vector<std::string> tags;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Item, name, price, tags)
} // namespace shop

int main() {
    json document = json::parse(R"({"pi": 3.141, "happy": true, "name": "Niels", "nothing": null,
        "answer": {"everything": 42}, "list": [1, 0, 2], "object": {"currency": "USD", "value": 42.99}})");
    document["list"].push_back("three");
    document["answer"]["nothing"] = -1;
    document.erase("nothing");
    std::cout << document.dump(2) << "\n";
    for (auto &[key, value] : document.items()) std::cout << key << " is a " << value.type_name() << "\n";
    std::vector<shop::Item> items = {{"pear", 2.5, {"fruit", "green"}}, {"nail", 0.01, {}}};
    json array = items;
    auto back = array.get<std::vector<shop::Item>>();
    std::cout << array << " " << back[0].tags[1] << " " << back.size() << "\n";
    std::cout << document.flatten()["/object/value"] << " " << document.at("/answer/everything"_json_pointer) << "\n";
    json patch = json::diff(document, array);
    std::cout << patch.size() << " " << (document.patch(patch) == array) << "\n";
    auto binary = json::to_cbor(document);
    std::cout << binary.size() << " " << (json::from_cbor(binary) == document) << "\n";
    for (const char *text : {"{\"a\": ", "[1, 2", "{\"a\": \"\xff\"}", "nul"}) {
        try {
            std::cout << json::parse(text) << "\n";
        } catch (const json::parse_error &error) {
            std::cout << "parse error " << error.id << ": " << error.what() << "\n";
        }
    }
    try {
        std::cout << document["name"].get<int>() << "\n";
    } catch (const json::type_error &error) {
        std::cout << error.what() << "\n";
    }
    try {
        document.at("missing");
    } catch (const json::exception &error) {
        std::cout << error.what() << "\n";
    }
    std::map<std::string, int> counts = {{"a", 1}, {"b", 2}};
    std::cout << json(counts).dump() << " " << json({1, 2.5, "x", false, nullptr}) << "\n";
    json large;
    for (int i = 0; i < 500; i++) large["row " + std::to_string(i)] = {{"i", i}, {"square", i * i}};
    std::cout << large.dump().size() << " " << std::hash<json>{}(large) % 1 << "\n";
}
