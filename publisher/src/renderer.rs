//! The renderer of a folder as a command line says it: the same flags for everything that renders.

use cdn::wire::{HelmRenderer, Nothing, Renderer};

/// What makes manifests of a folder.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RendererArgs {
    /// What makes manifests of the folder [default: plain; for a known service its own]
    #[arg(long, value_name = "RENDERER")]
    pub renderer: Option<RendererWord>,
    /// A value file of the chart, relative to it; later ones win
    #[arg(long = "value-file", value_name = "FILE", requires = "renderer")]
    pub value_files: Vec<String>,
    /// The release's name that templates see
    #[arg(long, value_name = "NAME", requires = "renderer")]
    pub release_name: Option<String>,
    /// The Kubernetes version that templates see
    #[arg(long, value_name = "VERSION", requires = "renderer")]
    pub kube_version: Option<String>,
}

/// A renderer, as the command line names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum RendererWord {
    /// Every YAML and JSON file of the folder and its subfolders
    Plain,
    /// `kustomize build` of the folder
    Kustomize,
    /// `helm template` of the chart in the folder
    Helm,
}

impl RendererArgs {
    /// The renderer, where one is named.
    pub fn renderer(&self) -> Option<Renderer> {
        Some(match self.renderer? {
            RendererWord::Plain => Renderer::Plain(Nothing {}),
            RendererWord::Kustomize => Renderer::Kustomize(Nothing {}),
            RendererWord::Helm => Renderer::Helm(Box::new(HelmRenderer {
                release_name: self.release_name.clone(),
                value_files: self.value_files.clone(),
                kube_version: self.kube_version.clone(),
                ..HelmRenderer::default()
            })),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn a_renderer_s_word_on_the_command_line_is_that_of_documents_and_tables() {
        for word in RendererWord::value_variants() {
            let args = RendererArgs { renderer: Some(*word), ..RendererArgs::default() };
            let renderer = args.renderer().expect("one is named");
            let spelled = word.to_possible_value().expect("no word is hidden");
            assert_eq!(spelled.get_name(), renderer.word());
        }
    }
}
