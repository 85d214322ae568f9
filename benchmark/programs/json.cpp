// A user of nlohmann-json: nearly all of its code is templates and inline functions of the header.
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

using nlohmann::json;

struct City {
    std::string name;
    int people;
    std::vector<double> position;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(City, name, people, position)

int main() {
    json document = json::parse(R"({"cities": [
        {"name": "Oslo", "people": 717, "position": [59.9, 10.7]},
        {"name": "Lima", "people": 10092, "position": [-12.0, -77.0]}], "year": 2024})");
    auto cities = document["cities"].get<std::vector<City>>();
    cities.push_back({"Riga", 605, {56.9, 24.1}});
    std::map<std::string, int> people;
    for (const City &city : cities) people[city.name] = city.people;
    document["cities"] = cities;
    document["people"] = people;
    document.erase("year");
    std::cout << document.dump(2) << "\n" << document.flatten()["/cities/2/name"] << "\n";
    try {
        std::cout << json::parse("[1, 2") << "\n";
    } catch (const json::parse_error &error) {
        std::cout << error.what() << "\n";
    }
}
