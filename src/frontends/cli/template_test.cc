#include "frontends/cli/template.h"

#include <gtest/gtest.h>

namespace berth::cli {
namespace {

using Json = Template::Json;

const Json kData = Json::parse(R"({
  "Name": "web", "Up": true, "Pid": 7, "None": null, "Empty": {},
  "Ports": {"8080/tcp": [{"HostIp": "0.0.0.0", "HostPort": "12211"}], "53/udp": null},
  "Aliases": ["a", "b"], "Labels": {"Label": "text"},
  "Row": {"Label": {"a.b": "one"}}, "Heads": {"Label": null}
})");

std::string rendered(std::string_view text) {
  const auto parsed = Template::parse(text);
  if (!parsed) return "error: " + parsed.error().message;
  const auto out = parsed->render(kData);
  return out ? *out : "error: " + out.error().message;
}

struct Case {
  std::string_view text;
  std::string_view want;
};

class Rendering : public testing::TestWithParam<Case> {};

TEST_P(Rendering, GivesWhatGoGives) {
  EXPECT_EQ(rendered(GetParam().text), GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    All, Rendering,
    testing::Values(
        Case{"plain", "plain"}, Case{"", ""}, Case{"{{.Name}}", "web"},
        Case{R"({{.Name}}\t{{.Pid}}\n)", "web\t7\n"}, Case{"{{ .Up }}", "true"},
        Case{"{{.None}}", "<no value>"}, Case{"{{.Aliases}}", "[a b]"},
        Case{"{{.Ports}}", "map[53/udp:<no value> 8080/tcp:[map[HostIp:0.0.0.0 HostPort:12211]]]"},
        Case{"{{json .Aliases}}", R"(["a","b"])"}, Case{"{{json .None}}", "null"},
        Case{"{{len .Aliases}}{{len .Name}}{{len .None}}", "230"},
        Case{R"({{(index (index .Ports "8080/tcp") 0).HostPort}})", "12211"},
        Case{R"({{index .Ports "8080/tcp" 0 "HostIp"}})", "0.0.0.0"},
        Case{R"({{index .Ports "none"}}.)", "."}, Case{R"({{"a\n"}}{{`b\n`}})", "a\nb\\n"},
        Case{"{{println .Name .Pid}}{{println}}", "web 7\n\n"},
        Case{"{{range .Aliases}}<{{.}}>{{end}}", "<a><b>"},
        Case{"{{range $k, $v := .Ports}}{{$k}}={{len $v}} {{end}}", "53/udp=0 8080/tcp=1 "},
        Case{"{{range $i, $e := .Aliases}}{{$i}}{{$e}}{{$.Name}}{{end}}", "0aweb1bweb"},
        Case{"{{range $e := .Aliases}}{{$e}}{{end}}", "ab"},
        Case{"{{range .Empty}}x{{else}}nothing{{end}}", "nothing"},
        Case{"{{if .Up}}yes{{else}}no{{end}}{{if .Empty}}yes{{else}}no{{end}}{{if .None}}x{{end}}",
             "yesno"},
        Case{"{{range $p, $b := .Ports}}{{if $b}}{{range $b}}{{$p}}:{{.HostPort}}{{end}}{{end}}"
             "{{end}}",
             "8080/tcp:12211"},
        Case{"{{join .Aliases \", \"}}{{join .None \",\"}}", "a, b"},
        Case{"{{range split .Name \"e\"}}<{{.}}>{{end}}", "<w><b>"},
        Case{"{{upper .Name}}{{lower \"ÄB\"}}{{title \"go-like words_here\"}}",
             "WEBÄbGo-Like Words_here"},
        Case{"{{.Name | upper | printf \"%s-%s\" \"x\"}}{{.Aliases | json | len}}", "x-WEB9"},
        Case{"{{printf \"%5s|%-5s|%05d|%d|%q|%t|%v|%%\" .Name .Name .Pid .Pid .Name .Up .Aliases}}",
             "  web|web  |00007|7|\"web\"|true|[a b]|%"},
        Case{"{{if eq .Name \"db\" \"web\"}}y{{end}}{{ne .Pid 7}}{{eq .None .Name}}",
             "yfalsefalse"},
        Case{"{{with .Ports}}{{len .}}{{end}}{{with .Empty}}x{{else}}none{{$.Name}}{{end}}",
             "2noneweb"},
        Case{"{{if .None}}a{{else if .Empty}}b{{else with .Pid}}{{.}}{{else}}c{{end}}.", "7."},
        Case{"a \n {{- .Pid -}} \t b", "a7b"}, Case{"{{-3}} {{- -3 -}} .", "-3-3."},
        Case{"a{{/* no }} here */}}b {{- /* trims */ -}} c", "abc"},
        Case{"{{.Labels.Label}}{{(index .Ports \"x\")}}", "text"},
        Case{"{{.Row.Label \"a.b\"}}{{.Row.Label \"c\"}}{{upper (.Row.Label \"a.b\")}}", "oneONE"},
        Case{"{{.Heads.Label \"com.example.my-key\"}}", "my key"}));

class Refusing : public testing::TestWithParam<Case> {};

TEST_P(Refusing, NamesTheColumn) {
  EXPECT_EQ(rendered(GetParam().text),
            std::string("error: template, column ") + std::string(GetParam().want));
}

INSTANTIATE_TEST_SUITE_P(
    All, Refusing,
    testing::Values(
        Case{"ab{{.Name", "3: the action is not closed by '}}'"},
        Case{"{{}}", "3: '}}' begins no value; there are .Field, $variable, \"text\", 1 and (...)"},
        Case{"{{.Name x}}", "9: 'x' is not expected here; '}}' is"},
        Case{
            "{{.Nam}}",
            "3: there is no .Nam; there are Aliases, Empty, Heads, Labels, Name, None, Pid, Ports, "
            "Row, Up"},
        Case{"{{.Name.X}}", "3: .Name has no fields, so no .X"},
        Case{"{{$x}}", "3: there is no variable $x"},
        Case{"{{define \"x\"}}",
             "3: there is no function 'define'; there are eq, index, join, json, len, lower, ne, "
             "printf, println, split, title, upper"},
        Case{"{{.Name | .Pid}}", "11: a function is missing after '|'"},
        Case{"{{.Name | upper .Pid}}", "11: upper takes one text, not 2 arguments"},
        Case{"{{eq .Name .Pid}}", "3: eq and ne compare values of one kind, not \"web\" and 7"},
        Case{"{{eq .Name .Aliases}}", "3: eq and ne compare no lists and no maps"},
        Case{"{{join .Name \",\"}}", "3: join needs a list, not web"},
        Case{"{{split .Name \"\"}}", "3: split needs a text to split at that is not empty"},
        Case{"{{title .Pid}}", "3: title needs a text, not 7"},
        Case{"{{printf \"%x\" 1}}",
             "3: printf: '%x' is none of %s, %q, %d, %t, %v and %%, with a "
             "width of at most 1000"},
        Case{"{{printf \"%9999s\" .Name}}",
             "3: printf: '%9999s' is none of %s, %q, %d, %t, %v and "
             "%%, with a width of at most 1000"},
        Case{"{{printf \"%d\" .Name}}", "3: printf: %d does not print \"web\""},
        Case{"{{printf \"%d\"}}", "3: printf: there is no value for %d"},
        Case{"{{printf \"\" 1}}", "3: printf: there is no verb for 1"},
        Case{"{{/* x", "1: the comment is not closed by '*/'"},
        Case{"{{/* x */ .Name}}", "11: '.' is not expected here; '}}' is"},
        Case{"{{if .Up}}{{else if .Pid}}", "1: {{if}} has no {{end}}"},
        Case{"{{with .Up}}", "1: {{with}} has no {{end}}"},
        Case{"{{.Row.Label \"a\" \"b\"}}", "3: Label takes one key, not 3 arguments"},
        Case{"{{.Name.Label \"a\"}}", "3: .Name has no fields, so no .Label"},
        Case{"{{json}}", "3: json takes one value, not 0 arguments"},
        Case{"{{index .Name}}", "3: index takes a value and at least one key, not 1 arguments"},
        Case{"{{index .Aliases 2}}", "3: index 2 of a list of 2"},
        Case{"{{index .Aliases \"k\"}}", "3: index k fits neither a map nor a list here"},
        Case{"x{{if .Up}}y", "2: {{if}} has no {{end}}"},
        Case{"{{end}}", "3: {{end}} ends nothing"},
        Case{"{{if .Up}}{{else}}{{else}}{{end}}", "21: a second {{else}}"},
        Case{"{{range .Pid}}{{end}}", "9: range needs a list or a map"},
        Case{"{{range $a, $b .Pid}}:={{end}}", "11: ',' is not expected here; '}}' is"},
        Case{"{{range $a $b := .Pid}}{{end}}", "12: ':=' is missing after the variables of range"},
        Case{"{{json \"a}}", "8: the text is not closed by \""},
        Case{"{{(.Name}}", "3: '(' is not closed"},
        Case{"{{len .Pid}}", "3: len needs a text, a list or a map"}));

TEST(Template, RefusesNestingWithoutEnd) {
  const auto parsed = Template::parse("{{" + std::string(100'000, '('));
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("nested deeper"), std::string::npos);
}

TEST(Template, ReplacesWhatIsNoUtf8) {
  EXPECT_EQ(compact(Json("a\xff")), "\"a\xef\xbf\xbd\"");
}

}  // namespace
}  // namespace berth::cli
