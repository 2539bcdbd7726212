#include "frontends/cli/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/result.h"
#include "frontends/cli/template_functions.h"
#include "frontends/cli/template_nodes.h"

namespace berth::cli {
namespace {

using Json = Template::Json;
using Node = Template::Node;

// Go's truth: false, 0, "", nil and what is empty are false.
bool truth(const Json& value) {
  if (value.is_null()) return false;
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number()) return value != 0;
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return !value.empty();
}

class Renderer {
 public:
  explicit Renderer(const Json& root) : root_(root) {}

  Status block(const std::vector<Node>& nodes, const Json& dot) {
    for (const auto& node : nodes) {
      if (node.kind == Node::Kind::kText) {
        out += node.text;
        continue;
      }
      const auto computed = TRY(value(node.expression, dot));
      if (node.kind == Node::Kind::kPrint)
        out += printed(computed);
      else if (node.kind == Node::Kind::kIf)
        TRY(block(truth(computed) ? node.body : node.otherwise, dot));
      else if (node.kind == Node::Kind::kWith)
        TRY(truth(computed) ? block(node.body, computed) : block(node.otherwise, dot));
      else
        TRY(range(node, computed, dot));
    }
    return {};
  }

  std::string out;

 private:
  static std::unexpected<Error> error(const Expression& at, std::string_view what) {
    return fail(ErrorKind::kInvalid, "template, column {}: {}", at.column, what);
  }

  Status range(const Node& node, const Json& list, const Json& dot) {
    if (!list.is_null() && !list.is_structured())
      return error(node.expression, "range needs a list or a map");
    if (list.empty()) return block(node.otherwise, dot);
    const auto saved = variables_;
    const auto step = [&](const Json& key, const Json& element) {
      if (!node.key_variable.empty()) variables_[node.key_variable] = key;
      if (!node.value_variable.empty()) variables_[node.value_variable] = element;
      return block(node.body, element);
    };
    if (list.is_array()) {
      for (std::size_t i = 0; i < list.size(); ++i) TRY(step(i, list[i]));
    } else {
      for (const auto& key : sorted_keys(list)) TRY(step(key, list[key]));
    }
    variables_ = saved;
    return {};
  }

  Result<Json> value(const Expression& expression, const Json& dot) {
    using Base = Expression::Base;
    switch (expression.base) {
      case Base::kDot:
        return field(expression, &dot);
      case Base::kRoot:
        return field(expression, &root_);
      case Base::kVariable: {
        const auto found = variables_.find(expression.name);
        if (found == variables_.end())
          return error(expression, fmt::format("there is no variable ${}", expression.name));
        return field(expression, &found->second);
      }
      case Base::kLiteral:
        return expression.literal;
      case Base::kCall:
        break;
    }
    std::vector<Json> arguments;
    for (const auto& argument : expression.arguments)
      arguments.push_back(TRY(value(argument, dot)));
    const auto result = expression.function->call(arguments);
    if (!result) return error(expression, result.error().message);
    return field(expression, &*result);
  }

  static Result<Json> field(const Expression& expression, const Json* value) {
    std::string walked;
    for (const auto& name : expression.fields) {
      if (!value->is_object())
        return error(expression, fmt::format("{} has no fields, so no .{}",
                                             walked.empty() ? "the value" : walked, name));
      const auto found = value->find(name);
      if (found == value->end())
        return fail(ErrorKind::kNotFound, "template, column {}: there is no {}.{}; there are {}",
                    expression.column, walked, name, fmt::join(sorted_keys(*value), ", "));
      value = &*found;
      walked += "." + name;
    }
    return *value;
  }

  const Json& root_;
  std::map<std::string, Json> variables_;
};

}  // namespace

Template::Template(std::vector<Node> nodes) : nodes_(std::move(nodes)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::parse(std::string_view text) {
  return Template(TRY(parse_template(text)));
}

Result<std::string> Template::render(const Json& data) const {
  Renderer renderer(data);
  TRY(renderer.block(nodes_, data));
  return std::move(renderer.out);
}

std::string compact(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace berth::cli
