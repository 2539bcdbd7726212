// A parsed template: between template_parse.cc, which makes it, and template.cc, which renders it.
#pragma once

#include <string>
#include <vector>

#include "frontends/cli/template.h"
#include "frontends/cli/template_functions.h"

namespace berth::cli {

/// A value to be computed: a base, then fields of it.
struct Expression {
  enum class Base { kDot, kRoot, kVariable, kLiteral, kCall };
  Base base = Base::kDot;
  std::string name;                            // of the variable
  const TemplateFunction* function = nullptr;  // of the call
  Template::Json literal;
  std::vector<Expression> arguments;  // of the call
  std::vector<std::string> fields;
  std::size_t column = 0;  // from 1
};

struct Template::Node {
  enum class Kind { kText, kPrint, kIf, kRange, kWith };
  Kind kind = Kind::kText;
  std::string text;
  Expression expression;
  std::string key_variable, value_variable;  // of a range; empty: none
  std::vector<Node> body, otherwise;
};

[[nodiscard]] Result<std::vector<Template::Node>> parse_template(std::string_view text);

}  // namespace berth::cli
