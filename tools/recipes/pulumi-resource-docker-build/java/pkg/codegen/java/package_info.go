// Package java stands in for the Java code generator, which the plugin imports
// for this one type and never runs.
package java

// PackageInfo has the fields that the plugin's schema sets.
type PackageInfo struct {
	BuildFiles                      string
	GradleNexusPublishPluginVersion string
	Dependencies                    map[string]string
}
