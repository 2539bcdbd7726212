// Reads a template: text and {{actions}} into nodes, by recursive descent.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <utility>

#include "base/result.h"
#include "frontends/cli/template_nodes.h"

namespace berth::cli {
namespace {

using Node = Template::Node;

constexpr int kMaxDepth = 100;  // nested actions or brackets; bounds the recursion

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

class TemplateParser {
 public:
  explicit TemplateParser(std::string_view text) : text_(text) {}

  Result<std::vector<Node>> parse() {
    auto nodes = TRY(block(0));
    if (end_ != End::kText) return error(keyword_at_, "{{{{{}}}}} ends nothing", end_name());
    return nodes;
  }

 private:
  enum class End { kText, kEnd, kElse };

  template <typename... Args>
  std::unexpected<Error> error(std::size_t at, fmt::format_string<Args...> what, Args&&... args) {
    return fail(ErrorKind::kInvalid, "template, column {}: {}", at + 1,
                fmt::format(what, std::forward<Args>(args)...));
  }

  std::string_view end_name() const { return end_ == End::kElse ? "else" : "end"; }

  // Nodes until the text, or an {{end}} or {{else}} of whoever asked, is reached: end_ says which.
  Result<std::vector<Node>> block(int depth) {
    std::vector<Node> nodes;
    while (true) {
      auto text = literal_text();
      const auto opened = at_;
      const bool is_action = take("{{");
      if (is_action && at_ + 1 < text_.size() && text_[at_] == '-' && is_blank(text_[at_ + 1])) {
        ++at_;
        while (!text.empty() && is_blank(text.back())) text.pop_back();
      }
      if (!text.empty()) nodes.push_back({.kind = Node::Kind::kText, .text = std::move(text)});
      end_ = End::kText;
      if (!is_action) return nodes;
      skip_blanks();
      if (take("/*")) {
        TRY(comment(opened));
        continue;
      }
      keyword_at_ = at_;
      const auto word = peek_word();
      if (word == "end" || word == "else") {
        at_ += word.size();
        skip_blanks();
        end_ = word == "end" ? End::kEnd : End::kElse;
        else_if_ = word == "else" && (peek_word() == "if" || peek_word() == "with");
        if (!else_if_) TRY(close(opened));
        return nodes;
      }
      nodes.push_back(TRY(action(opened, word, depth)));
    }
  }

  Result<Node> action(std::size_t opened, std::string_view word, int depth) {
    if (depth >= kMaxDepth) return error(opened, "actions are nested deeper than {}", kMaxDepth);
    Node node{.kind = Node::Kind::kPrint};
    if (word != "if" && word != "range" && word != "with") {
      node.expression = TRY(pipeline(depth));
      TRY(close(opened));
      return node;
    }
    at_ += word.size();
    node.kind = word == "if"      ? Node::Kind::kIf
                : word == "range" ? Node::Kind::kRange
                                  : Node::Kind::kWith;
    if (word == "range") TRY(range_variables(node));
    node.expression = TRY(pipeline(depth));
    TRY(close(opened));
    node.body = TRY(block(depth + 1));
    if (end_ == End::kElse && else_if_) {  // its {{end}} is ours as well
      node.otherwise.push_back(TRY(action(opened, peek_word(), depth + 1)));
      return node;
    }
    if (end_ == End::kElse) {
      node.otherwise = TRY(block(depth + 1));
      if (end_ == End::kElse) return error(keyword_at_, "a second {{{{else}}}}");
    }
    if (end_ == End::kText) return error(opened, "{{{{{}}}}} has no {{{{end}}}}", word);
    return node;
  }

  // "$v :=" or "$k, $v :=", if that is what comes next.
  Status range_variables(Node& node) {
    skip_blanks();
    if (text_.substr(at_).find(":=") > text_.substr(at_).find("}}")) return {};
    node.value_variable = TRY(variable());
    skip_blanks();
    if (take(",")) {
      skip_blanks();
      node.key_variable = std::exchange(node.value_variable, TRY(variable()));
      skip_blanks();
    }
    if (!take(":=")) return error(at_, "':=' is missing after the variables of range");
    return {};
  }

  Result<std::string> variable() {
    if (!take("$")) return error(at_, "a variable begins with '$'");
    const auto name = peek_word();
    at_ += name.size();
    return std::string(name);
  }

  // Commands with '|' between them: what one gives is the last argument of the next.
  Result<Expression> pipeline(int depth) {
    auto value = TRY(command(depth, {}));
    for (skip_blanks(); take("|"); skip_blanks()) {
      std::vector<Expression> given;
      given.push_back(std::move(value));
      value = TRY(command(depth, std::move(given)));
    }
    return value;
  }

  // A function with its arguments, or a single operand. `given`: by a pipe.
  Result<Expression> command(int depth, std::vector<Expression> given) {
    skip_blanks();
    const auto name = peek_word();
    const auto start = at_;
    if (name.empty() || name == "true" || name == "false" || (name[0] >= '0' && name[0] <= '9')) {
      auto value = TRY(operand(depth));
      skip_blanks();
      const bool is_label = !value.fields.empty() && value.fields.back() == "Label";
      if (is_label && (!given.empty() || !at_command_end())) {
        std::vector<Expression> labels;
        labels.push_back(std::move(value));
        return call(label_function(), start, depth, std::move(labels), std::move(given));
      }
      if (given.empty()) return value;
      return error(start, "a function is missing after '|'");
    }
    const auto functions = template_functions();
    const auto found = std::ranges::find(functions, name, &TemplateFunction::name);
    if (found == functions.end()) {
      std::vector<std::string_view> names;
      for (const auto& each : functions) names.push_back(each.name);
      return error(at_, "there is no function '{}'; there are {}", name, fmt::join(names, ", "));
    }
    at_ += name.size();
    return call(*found, start, depth, {}, std::move(given));
  }

  Result<Expression> call(const TemplateFunction& function, std::size_t start, int depth,
                          std::vector<Expression> arguments, std::vector<Expression> given) {
    for (skip_blanks(); !at_command_end(); skip_blanks()) arguments.push_back(TRY(operand(depth)));
    std::ranges::move(given, std::back_inserter(arguments));
    const auto count = arguments.size();
    if (count < function.least || count > function.most)
      return error(start, "{} takes {}, not {} arguments", function.name, function.takes, count);
    return Expression{.base = Expression::Base::kCall,
                      .function = &function,
                      .arguments = std::move(arguments),
                      .column = start + 1};
  }

  Result<Expression> operand(int depth) {
    skip_blanks();
    if (at_ >= text_.size()) return error(at_, "the action is not closed by '}}}}'");
    const auto start = at_;
    Expression value{.column = at_ + 1};
    const char c = text_[at_];
    if (c == '.') {
      if (at_ + 1 >= text_.size() || !is_word(text_[at_ + 1])) {
        ++at_;
        return value;
      }
    } else if (c == '$') {
      value.name = TRY(variable());
      value.base = value.name.empty() ? Expression::Base::kRoot : Expression::Base::kVariable;
    } else if (c == '(') {
      if (depth >= kMaxDepth) return error(at_, "brackets are nested deeper than {}", kMaxDepth);
      ++at_;
      value = TRY(pipeline(depth + 1));
      skip_blanks();
      if (!take(")")) return error(start, "'(' is not closed");
    } else if (c == '"' || c == '`') {
      value.base = Expression::Base::kLiteral;
      value.literal = TRY(quoted());
      return value;
    } else if (const auto word = peek_word(); word == "true" || word == "false") {
      at_ += word.size();
      value.base = Expression::Base::kLiteral;
      value.literal = word == "true";
      return value;
    } else if ((c >= '0' && c <= '9') || c == '-') {
      std::int64_t number = 0;
      const auto [stop, bad] =
          std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
      if (bad != std::errc{}) return error(at_, "not a whole number");
      at_ = static_cast<std::size_t>(stop - text_.data());
      value.base = Expression::Base::kLiteral;
      value.literal = number;
      return value;
    } else {
      return error(at_, "'{}' begins no value; there are .Field, $variable, \"text\", 1 and (...)",
                   c == '}' ? std::string_view("}}") : text_.substr(at_, 1));
    }
    while (at_ + 1 < text_.size() && text_[at_] == '.' && is_word(text_[at_ + 1])) {
      ++at_;
      value.fields.emplace_back(peek_word());
      at_ += value.fields.back().size();
    }
    return value;
  }

  Result<std::string> quoted() {
    const auto start = at_;
    const char quote = text_[at_++];
    std::string out;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (quote == '"' && text_[at_] == '\\' && at_ + 1 < text_.size()) {
        const char escaped = text_[++at_];
        out += escaped == 'n' ? '\n' : escaped == 't' ? '\t' : escaped;
      } else {
        out += text_[at_];
      }
    }
    if (at_ >= text_.size()) return error(start, "the text is not closed by {}", quote);
    ++at_;
    return out;
  }

  // Up to the next action, with \n and \t read.
  std::string literal_text() {
    const auto stop = std::min(text_.find("{{", at_), text_.size());
    std::string out;
    for (; at_ < stop; ++at_) {
      const char next = at_ + 1 < stop ? text_[at_ + 1] : '\0';
      if (text_[at_] == '\\' && (next == 'n' || next == 't')) {
        out += next == 'n' ? '\n' : '\t';
        ++at_;
      } else {
        out += text_[at_];
      }
    }
    if (std::exchange(trim_next_, false))
      out.erase(0, static_cast<std::size_t>(std::ranges::find_if_not(out, is_blank) - out.begin()));
    return out;
  }

  // The rest of a comment and its action.
  Status comment(std::size_t opened) {
    const auto end = text_.find("*/", at_);
    if (end == text_.npos) return error(opened, "the comment is not closed by '*/'");
    at_ = end + 2;
    return close(opened);
  }

  // Is '}}' next, or '-}}' after a blank?
  bool at_action_end() const {
    const auto rest = text_.substr(at_);
    return rest.starts_with("}}") || (rest.starts_with("-}}") && is_blank(text_[at_ - 1]));
  }
  bool at_command_end() const {
    return at_ >= text_.size() || text_[at_] == ')' || text_[at_] == '|' || at_action_end();
  }

  Status close(std::size_t opened) {
    skip_blanks();
    if (at_ >= text_.size()) return error(opened, "the action is not closed by '}}}}'");
    if (!at_action_end())
      return error(at_, "'{}' is not expected here; '}}}}' is", text_.substr(at_, 1));
    trim_next_ = take("-");
    at_ += 2;
    return {};
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  std::string_view peek_word() const {
    auto end = at_;
    while (end < text_.size() && is_word(text_[end])) ++end;
    return text_.substr(at_, end - at_);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t keyword_at_ = 0;  // where the {{end}} or {{else}} that end_ speaks of stands
  End end_ = End::kText;
  bool else_if_ = false;    // the {{else}} goes on with "if" or "with"
  bool trim_next_ = false;  // the last action ended with '-}}'
};

}  // namespace

Result<std::vector<Template::Node>> parse_template(std::string_view text) {
  return TemplateParser(text).parse();
}

}  // namespace berth::cli
