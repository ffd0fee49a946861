// Package codegen stands in for the .NET code generator, which the plugin
// imports for this one type and never runs.
package codegen

// CSharpPackageInfo has the fields that the plugin's schema sets.
type CSharpPackageInfo struct {
	RespectSchemaVersion bool
	PackageReferences    map[string]string
}
